"""Makes a camera: keys and enrolment, the anchor, certificates, a test plate; and takes one out of
service.
"""
