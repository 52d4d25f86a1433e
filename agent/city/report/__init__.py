"""The public report: made from the signed archive and verified logs alone, and recomputed by
anybody who has them (docs/guide/report.md).
"""
