package monitoring

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/server"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

const patience = 20 * time.Second

// certificate makes one that is valid for 90 days, and returns the names of its files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "site"}, DNSNames: []string{"site.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	must(t, err)
	cert, key = filepath.Join(t.TempDir(), "site.crt"), filepath.Join(t.TempDir(), "site.key")
	must(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	return cert, key
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a gateway with an endpoint that does well, one over TLS, one that fails, and one that nobody listens at.
type world struct {
	t              *testing.T
	s              *server.Server
	reloader       *server.Reloader
	good, secure   *httptest.Server
	bad            *httptest.Server
	dead           string
	cert, key, log string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, log: filepath.Join(t.TempDir(), "access.log")}
	w.cert, w.key = certificate(t)
	w.good = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "good") }))
	w.secure = httptest.NewUnstartedServer(w.good.Config.Handler)
	w.secure.Config.ErrorLog = nil
	w.secure.StartTLS()
	w.bad = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(503) }))
	for _, s := range []*httptest.Server{w.good, w.secure, w.bad} {
		t.Cleanup(s.Close)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.dead = ln.Addr().String()
	ln.Close()

	c, err := config.Parse("test.yaml", []byte(w.yaml(false)))
	must(t, err)
	snap, err := snapshot.Build(c, 1)
	must(t, err)
	w.s, err = server.Start(snap, "test")
	must(t, err)
	w.reloader = server.NewReloader(w.s, "")
	t.Cleanup(func() {
		w.reloader.Close()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		w.s.Drain(ctx)
	})
	return w
}

// yaml is a configuration, with trouble or without.
func (w *world) yaml(trouble bool) string {
	log, more, routes := w.log, "", ""
	if trouble {
		log = "/dev/full"
		more = fmt.Sprintf(`
  - {name: dead, endpoints: [{address: %q}], health_check: {protocol: tcp, interval: 100ms, unhealthy: 1}}
  - {name: bad, endpoints: [{address: %q}], retries: 1, retry: {when: [status], statuses: [503], budget: {percent: 1, min: 1}}}
  - {name: mistrusted, endpoints: [{address: %q}], tls: {server_name: other.test}}`, w.dead, addr(w.bad), addr(w.secure))
		routes = `
  - {name: dead, match: {path: /dead}, cluster: dead}
  - {name: bad, match: {path: /bad}, cluster: bad}
  - {name: mistrusted, match: {path: /mistrusted}, cluster: mistrusted}`
	}
	return fmt.Sprintf(`workers: {count: 2}
admin: {address: 127.0.0.1:0}
access_log: {path: %q}
drain_idle: 0s
listeners:
  - {name: edge, address: 127.0.0.1:0, tls: {certificates: [{cert: %q, key: %q}]}}
clusters:
  - {name: good, endpoints: [{address: %q}], health_check: {protocol: tcp, interval: 100ms}}%s
routes:%s
  - {name: good, match: {path: /*}, cluster: good}
`, log, w.cert, w.key, addr(w.good), more, routes)
}

func addr(s *httptest.Server) string { return s.Listener.Addr().String() }

// ask sends requests, over HTTP/1.1 and with TLS over HTTP/2.
func (w *world) ask(paths ...string) {
	w.t.Helper()
	at := w.s.Addrs()[0].TCP.String()
	for scheme, tr := range map[string]*http.Transport{
		"http": {}, "https": {ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	} {
		c := http.Client{Transport: tr, Timeout: patience}
		for _, p := range paths {
			r, err := c.Get(scheme + "://" + at + p)
			must(w.t, err)
			_, err = io.Copy(io.Discard, r.Body)
			must(w.t, err)
			r.Body.Close()
		}
		tr.CloseIdleConnections()
	}
}

// damaged begins TLS with something that is none.
func (w *world) damaged() {
	w.t.Helper()
	c, err := net.Dial("tcp", w.s.Addrs()[0].TCP.String())
	must(w.t, err)
	defer c.Close()
	must(w.t, c.SetDeadline(time.Now().Add(patience)))
	_, err = c.Write([]byte("\x16\x03\x01\x00\x05hello"))
	must(w.t, err)
	_, _ = io.Copy(io.Discard, bufio.NewReader(c))
}

// metrics is what a scrape gets.
func (w *world) metrics() string {
	w.t.Helper()
	r, err := http.Get("http://" + w.s.Admin().Addr().String() + "/metrics")
	must(w.t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	must(w.t, err)
	return string(b)
}

// operands are the parts of an expression that have a value whether or not what it looks for is the case: both sides of and and or, and what is compared.
func operands(e parser.Expr) []string {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return operands(e.Expr)
	case *parser.Call:
		if e.Func.Name == "absent" {
			return operands(e.Args[0])
		}
	case *parser.BinaryExpr:
		switch {
		case e.Op.IsSetOperator():
			return append(operands(e.LHS), operands(e.RHS)...)
		case e.Op.IsComparisonOperator() && !e.ReturnBool:
			return operands(e.LHS)
		}
	}
	return []string{e.String()}
}

// Each query has a result when a gateway runs that has seen everything go well and badly, and the result has the labels that the text beside it names.
func TestQueriesFindSomething(t *testing.T) {
	w, m := newWorld(t), newMemory(t)
	scrape := func(paths ...string) {
		for range 3 {
			w.ask(paths...)
			m.scrape(w.metrics(), 1)
		}
	}
	firing := func() (names []string) {
		for _, a := range alerts(t) {
			if len(m.query(a.expr)) > 0 {
				names = append(names, a.where)
			}
		}
		slices.Sort(names)
		return names
	}
	same := func(when string, want ...string) {
		t.Helper()
		if got := firing(); !slices.Equal(got, want) {
			t.Errorf("%s: firing are %v, expected %v", when, got, want)
		}
	}
	scrape("/x", "/y")
	same("all is well")

	// A configuration that cannot be, then one with trouble.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if w.reloader.Replace(ctx, "bad", []byte("routes: 5\n")) == nil {
		t.Fatal("that should not have been taken")
	}
	must(t, w.reloader.Replace(ctx, "trouble", []byte(w.yaml(true))))
	for end := time.Now().Add(patience); !strings.Contains(w.metrics(), `blitz_cluster_endpoints{cluster="dead",state="healthy"} 0`); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the dead endpoint is healthy")
		}
	}
	w.damaged()
	bad := []string{"/dead", "/mistrusted", "/x"}
	for range 20 {
		bad = append(bad, "/bad")
	}
	scrape(bad...)
	w.damaged()
	scrape(bad...)
	same("trouble", "BlitzAccessLogDrops", "BlitzClusterWithoutEndpoints", "BlitzEndpointUnhealthy", "BlitzFailureRatio", "BlitzReloadRefused",
		"BlitzRetryBudgetExhausted", "BlitzRouteFailureRatio")

	for _, q := range slices.Concat(panels(t), variables(t), alerts(t)) {
		e, err := parser.NewParser(parser.Options{}).ParseExpr(q.expr)
		must(t, err)
		for _, part := range operands(e) {
			v := m.query(part)
			if len(v) == 0 {
				t.Errorf("%s: %s has no result", q.where, part)
			}
			for _, s := range v {
				for _, name := range q.mentions {
					if !s.Metric.Has(name) {
						t.Errorf("%s: %s has no label %s", q.where, s.Metric, name)
					}
				}
			}
		}
	}

	// Certificates, in the course of time; then the gateway goes away, and its address too.
	must(t, w.reloader.Replace(ctx, "well again", []byte(w.yaml(false))))
	day := 24 * time.Hour
	m.now = m.now.Add(80 * day)
	scrape("/x")
	same("80 days later", "BlitzCertificateExpires")
	m.now = m.now.Add(11 * day)
	scrape("/x")
	same("91 days later", "BlitzCertificateExpired", "BlitzCertificateExpires")
	m.now = m.now.Add(day)
	m.scrape("", 0)
	same("down", "BlitzAbsent", "BlitzDown")
	m.now = m.now.Add(day)
	same("gone", "BlitzAbsent")
}
