import pytest


@pytest.fixture
def urls_asked(monkeypatch):
    """The addresses that were asked for; there is no network."""
    asked = []

    def urlopen(request, *arguments, **options):
        asked.append(request.full_url)
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    return asked
