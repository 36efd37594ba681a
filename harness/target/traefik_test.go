package target_test

import (
	"bytes"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/harness/target/traefik"
)

// Traefik's two files, read as YAML: there is no package of it to try them with everywhere.
func TestTraefikRenders(t *testing.T) {
	read := func(text, path string) (out any) {
		p, err := yaml.PathString(path)
		require.NoError(t, err)
		var doc any
		require.NoError(t, yaml.Unmarshal([]byte(text), &doc), text)
		b, err := yaml.Marshal(doc)
		require.NoError(t, err)
		var v any
		if err := p.Read(bytes.NewReader(b), &v); err != nil {
			return nil
		}
		return v
	}
	sys := traefik.New()
	p := target.Plan{Dir: "/run/x", Host: "127.0.0.1", Port: 18123, OriginHost: "127.0.0.1", OriginPort: 18456, CPUs: []int{0, 1}, Proxied: true}
	l, err := sys.Render(p)
	require.NoError(t, err)
	require.Len(t, l.Files, 2)
	assert.Equal(t, []string{"--configFile=traefik.yaml"}, l.Args)
	assert.Contains(t, l.Env, "GOMAXPROCS=2")
	assert.Equal(t, "127.0.0.1:18123", read(l.Files[0].Text, "$.entryPoints.edge.address"))
	assert.Equal(t, "dynamic.yaml", read(l.Files[0].Text, "$.providers.file.filename"))
	assert.Equal(t, "http://127.0.0.1:18456", read(l.Files[1].Text, "$.http.services.origin.loadBalancer.servers[0].url"))
	assert.Nil(t, read(l.Files[1].Text, "$.tls"))

	p.TLS, p.H2, p.OriginH2 = &target.Pair{}, true, true
	l, err = sys.Render(p)
	require.NoError(t, err)
	assert.EqualValues(t, 256, read(l.Files[0].Text, "$.entryPoints.edge.http2.maxConcurrentStreams"))
	assert.Equal(t, "h2c://127.0.0.1:18456", read(l.Files[1].Text, "$.http.services.origin.loadBalancer.servers[0].url"))
	assert.Equal(t, target.CertFile, read(l.Files[1].Text, "$.tls.stores.default.defaultCertificate.certFile"))
	assert.NotNil(t, read(l.Files[1].Text, "$.http.routers.all.tls"))

	lim := sys.(target.Limited)
	assert.Empty(t, lim.Unsupported(p))
	assert.Contains(t, lim.Unsupported(target.Plan{}), "answers nothing by itself")
	assert.Contains(t, lim.Unsupported(target.Plan{Proxied: true, H2: true}), "over TLS only")
}
