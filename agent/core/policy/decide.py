"""The policy's two questions: may this sighting leave, and may this sealed read still be published."""

from agent.core.policy.policy import decide, may_publish

__all__ = ["decide", "may_publish"]
