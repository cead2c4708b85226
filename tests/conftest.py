"""What all tests share: hypothesis tries the same examples in every run.

Its profile ``ci`` derives them from the tests themselves, keeps none of earlier runs,
and has no limit of time that a slow machine would exceed.  Other examples are tried
with ``--hypothesis-profile=default``.
"""

from hypothesis import settings

settings.load_profile("ci")
