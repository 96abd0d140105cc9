"""What goes wrong with a broker."""


class BrokerError(RuntimeError):
    """A broker that cannot be started, or cannot be used: the message says what to do."""
