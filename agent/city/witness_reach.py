"""How far the city's log is witnessed, and since when it is not: for `bundle show` and `audit
collect`. Who must have cosigned is said by `witnesses.policy` in the city's folder.
"""

from pathlib import Path

from agent.audit.witnesses.cosigned_reach import POLICY, WitnessReach, reach_of
from agent.city.city_log import DATABASE, FOLDER, PUBLIC


def witness_reach(city: Path) -> WitnessReach:
    """Raises nothing of ours: what is wrong is told."""
    folder = city / FOLDER
    return reach_of(folder / DATABASE, folder / PUBLIC, city / POLICY, "city's log")
