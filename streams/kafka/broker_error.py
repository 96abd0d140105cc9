"""The error of a broker that cannot be started or used."""


class BrokerError(RuntimeError):
    """A broker that cannot be started, or cannot be used: the message says what to do."""
