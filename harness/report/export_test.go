package report

import (
	"sync"

	"github.com/blitz-gateway/blitz/harness/result"
)

// For the tests in report_test.
var (
	Fixture = fixture
	Trends  = trends
)

// Committed are the results of this repository, read once for all tests, which must not change them.
var Committed = sync.OnceValues(func() ([]result.Stored, error) { return result.ReadAll("../../results") })
