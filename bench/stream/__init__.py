"""What a stream of frames costs: our line beside an older build and other people's models."""
