"""What the operating system gives a process: time, memory, systemd's socket, signals."""
