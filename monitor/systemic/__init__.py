"""The meaning of many account-days at once: segment-days in, notices with a verdict out."""

from monitor.systemic.detector import Systemic

__all__ = ["Systemic"]
