"""Asserts of the shared contract explain themselves like a test's own."""

import pytest

pytest.register_assert_rewrite("campaigns.testing")
