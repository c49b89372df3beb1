"""What pytest calls in every folder whose tests need a server that may be missing; for their conftest.py to import."""

import pytest

import servers


def pytest_terminal_summary(terminalreporter):
    for reason in servers.missing:
        terminalreporter.write_line(f"SKIPPED: {reason}", red=True, bold=True)


def pytest_sessionfinish(session, exitstatus):
    """Tells ctest that nothing was tested, so that a missing server never looks like a pass."""
    ran = session.testscollected and any(report.when == "call" for report in _reports(session))
    if servers.missing and not ran and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = servers.SKIPPED_EXIT_CODE


def _reports(session):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    return [report for reports in reporter.stats.values() for report in reports if hasattr(report, "when")]
