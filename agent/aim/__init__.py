"""What `aim` is made of: looking at a frame for an installer, the page for the phone, the hotspot,
the label, the survey's chart.
"""
