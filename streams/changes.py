"""What changes how a partition decides, and comes beside its records: policies and attributes.

It waits here for the next run or tick, where what comes of it is told before a snapshot can be
taken: state must not say that something was told which never was.
"""

from monitor.engine import Engine
from monitor.membership import Verdicts


class Changes:
    """What has changed since an engine decided its open days last."""

    def __init__(self, engine: Engine) -> None:
        self.has_policies = False
        self._engine = engine
        self._verdicts: Verdicts | None = None
        self._accounts: dict[str, None] = {}  # in the order in which they changed

    def note_policies(self) -> None:
        """Note that there is a new policy version."""
        self.has_policies = True

    def note_account(self, account_id: str) -> None:
        """Note that an account has other attributes; without open days nothing is to be done."""
        if account_id in self._engine.ledger.accounts:
            self._accounts[account_id] = None

    def note_verdicts(self, verdicts: Verdicts) -> None:
        """Note what the systemic side has decided: all of it."""
        self._verdicts = verdicts

    def apply(self) -> None:
        """Decide anew the open days that are concerned."""
        if self.has_policies:
            self.has_policies = False
            self._engine.policies_changed()
        if self._accounts:
            accounts, self._accounts = self._accounts, {}
            self._engine.attributes_changed(accounts)
        if self._verdicts is not None:
            verdicts, self._verdicts = self._verdicts, None
            self._engine.set_verdicts(verdicts)
