"""Training of the recogniser: grey crops of plates in, a CTC sequence of characters out."""
