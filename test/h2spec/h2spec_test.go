package h2spec

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/log"
	"github.com/summerwind/h2spec/spec"
)

// cases is how many the version in go.mod has. It is checked so that none disappears without a word.
const cases = 146

// think is how long the endpoint takes. Several cases want a stream that is still open when their next frame comes.
const think = 30 * time.Millisecond

func TestConformance(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "blitz")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", binary, "./cmd/blitz")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0") // as `make build`, which the build cache knows
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building blitz: %v\n%s", err, out)
	}
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(think)
		fmt.Fprint(w, strings.Repeat("conformance ", 100))
	}))
	defer origin.Close()
	log.SetIndentLevel(0)
	for _, engine := range []string{"uring", "epoll"} {
		t.Run(engine+"/h2c", func(t *testing.T) {
			conform(t, start(t, binary, engine, "", origin.Listener.Addr().String()), false)
		})
		t.Run(engine+"/tls", func(t *testing.T) {
			cert, key := certificate(t)
			tls := fmt.Sprintf(", tls: {certificates: [{cert: %q, key: %q}]}", cert, key)
			conform(t, start(t, binary, engine, tls, origin.Listener.Addr().String()), true)
		})
	}
}

// start runs the gateway and returns its address. It is ended with the test.
func start(t *testing.T, binary, engine, listener, origin string) string {
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	text := fmt.Sprintf(`
workers: {count: 1, engine: %s}
listeners: [{name: edge, address: "127.0.0.1:0", protocols: [h2]%s}]
clusters: [{name: origin, endpoints: [{address: %q}]}]
routes: [{match: {path: /*}, cluster: origin}]
`, engine, listener, origin)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "serve", "--config", file)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Error("the gateway did not end well:", err)
		}
	})
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "listening") {
			_, addr, _ := strings.Cut(lines.Text(), "address=")
			go func() {
				for lines.Scan() {
				}
			}()
			return addr
		}
	}
	t.Fatal("the gateway does not listen")
	return ""
}

// certificate makes a certificate for 127.0.0.1 and its key, and returns their files.
func certificate(t *testing.T) (cert, key string) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, b []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", pkcs8)
}

func conform(t *testing.T, addr string, tls bool) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	c := &config.Config{Host: host, Port: number, Path: "/", Timeout: 3 * time.Second, MaxHeaderLen: 4000, Strict: true, TLS: tls, Insecure: tls}
	total := 0
	for _, group := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		group.Test(c)
		total += group.PassedCount
		failures(t, group)
	}
	if total != cases {
		t.Errorf("%d cases passed of %d", total, cases)
	}
}

// failures reports every case that did not pass.
func failures(t *testing.T, g *spec.TestGroup) {
	for _, tc := range g.Tests {
		if r := tc.Result; r != nil && (r.Failed || r.Skipped) {
			t.Errorf("%s %s: %s: failed %v, skipped %v: %v", g.Section, tc.Desc, tc.Requirement, r.Failed, r.Skipped, r.Error)
		}
	}
	for _, sub := range g.Groups {
		failures(t, sub)
	}
}
