"""What a stream of frames allows beside single pictures: to look only where something changed."""
