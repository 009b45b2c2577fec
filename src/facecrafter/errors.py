"""Everything that facecrafter raises on purpose.

* FacecrafterError
  x DataError               what was given to read cannot be used
    - UnreadableImage         a file is no photograph
    - SplitError              public and private faces are not kept apart
  x BundleError             weights are missing, altered or of another shape
  x WireError               bytes that claim to be features are not acceptable
  x SettingError            a number or name outside its range
  x NumericalError          a solve or a training diverged
  x NotProtected            protection did not hold; nothing was released
  x ResultError             a result cannot be stored or compared
  x ServiceError            somebody else's service refused, failed or answered nonsense

Each message names the value, the rule that it breaks and what to try next.
"""


class FacecrafterError(Exception):
    """Base of all errors raised on purpose."""


class DataError(FacecrafterError):
    """What was given to read cannot be used."""


class UnreadableImage(DataError):
    """A file is no photograph that can be decoded."""


class SplitError(DataError):
    """Public and private faces are not kept apart."""


class BundleError(FacecrafterError):
    """Weights are missing, altered or of another shape."""


class WireError(FacecrafterError):
    """Bytes that claim to be features are not acceptable."""


class SettingError(FacecrafterError, ValueError):
    """A number or a name lies outside its range."""


class NumericalError(FacecrafterError, ArithmeticError):
    """A solve or a training diverged."""


class NotProtected(FacecrafterError):
    """Protection did not hold, so nothing was released."""


class ResultError(FacecrafterError):
    """A result cannot be stored or compared."""


class ServiceError(FacecrafterError):
    """Somebody else's service refused, failed or answered nonsense."""
