package report

// For the tests in report_test.
var (
	Fixture = fixture
	Trends  = trends
)
