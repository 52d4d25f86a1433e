"""What a tracker knows of one vehicle: its place and motion, whose text it has, what was told."""
