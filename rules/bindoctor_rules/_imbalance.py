"""From which share on a class counts as rare."""

from bindoctor import Profile


def rare_limit(profile: Profile, min_share: float) -> float:
    """Return ``min_share``, which is meant for two classes, scaled to the even share of more classes."""
    return min_share * 2 / len(profile.classes)
