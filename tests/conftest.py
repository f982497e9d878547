"""What holds for all tests: none fails for being slow, on a machine that does other things, too."""

from hypothesis import settings

settings.register_profile("unhurried", settings(), deadline=None)
settings.load_profile("unhurried")
