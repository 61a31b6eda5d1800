"""The door to verifiers under a name of its own: verifiers finds tasksets as top-level packages. See sentinel/doors/verifiers.py."""
from sentinel.doors.verifiers import SentinelTaskset, SentinelVfEnv

__all__ = ["SentinelTaskset", "SentinelVfEnv"]
