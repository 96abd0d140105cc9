"""What many account-days at once mean: segment-days in, notices with a verdict out. Pure."""

from monitor.systemic.notice import SystemicNotice, Verdict
from monitor.systemic.segment_day import LimitDay, SegmentDay, merged

__all__ = ["LimitDay", "SegmentDay", "SystemicNotice", "Verdict", "merged"]
