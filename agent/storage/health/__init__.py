"""A camera's health on its way: watch's part of it, deliver's count of messages, the signature."""
