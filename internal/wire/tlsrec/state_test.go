package tlsrec

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSuiteNamesAreThoseOfCryptoTLS(t *testing.T) {
	for _, suite := range tls.CipherSuites() {
		s := State{Suite: suite.ID}
		assert.Equal(t, suite.Name, s.SuiteName())
	}
	for _, id := range suiteIDs {
		s := State{Suite: id}
		assert.Zero(t, testing.AllocsPerRun(10, func() { _ = s.SuiteName() }))
	}
}
