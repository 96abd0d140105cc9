"""What many account-days at once mean: segment-days in, notices with a verdict out. Pure."""

from monitor.systemic.detector import Systemic

__all__ = ["Systemic"]
