"""The interface of an address."""

import sys

import pytest

from trainer.network import interface_of


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_an_address_has_its_interface():
    assert interface_of("127.0.0.1") == "lo"
    assert interface_of("192.0.2.77") is None
