package envoy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	manager "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/harness/target/envoy"
)

// plans are all that scenarios ask of a target.
func plans() map[string]target.Plan {
	base := target.Plan{Dir: "/run", Host: "127.0.0.1", Port: 18080, CPUs: []int{0}}
	out := map[string]target.Plan{}
	for _, tls := range []bool{false, true} {
		for _, h2 := range []bool{false, true} {
			for _, origin := range []string{"none", "h1", "h2"} {
				p := base
				if p.H2 = h2; tls {
					p.TLS = &target.Pair{}
				}
				if origin != "none" {
					p.OriginHost, p.OriginPort, p.OriginH2 = "127.0.0.1", 18081, origin == "h2"
				}
				out[fmt.Sprintf("tls=%v,h2=%v,origin=%s", tls, h2, origin)] = p
			}
		}
	}
	return out
}

func parse(text string) (*bootstrap.Bootstrap, error) {
	b, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	if !json.Valid(b) {
		return nil, fmt.Errorf("not JSON: %s", b)
	}
	boot := &bootstrap.Bootstrap{}
	// Unknown fields are errors: that is what Envoy does.
	if err := protojson.Unmarshal(b, boot); err != nil {
		return nil, err
	}
	if err := boot.ValidateAll(); err != nil {
		return nil, err
	}
	return boot, validateNested(boot)
}

// validateNested also holds what is packed into an Any to its own rules, all the way down.
func validateNested(m proto.Message) error {
	var failed error
	var walk func(m protoreflect.Message)
	walk = func(m protoreflect.Message) {
		if packed, ok := m.Interface().(*anypb.Any); ok {
			inner, err := packed.UnmarshalNew()
			if err != nil {
				failed = err
				return
			}
			if v, ok := inner.(interface{ ValidateAll() error }); ok && failed == nil {
				failed = v.ValidateAll()
			}
			walk(inner.ProtoReflect())
			return
		}
		m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case fd.IsMap():
				if fd.MapValue().Message() != nil {
					v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { walk(v.Message()); return failed == nil })
				}
			case fd.Message() == nil:
			case fd.IsList():
				for i := range v.List().Len() {
					walk(v.List().Get(i).Message())
				}
			default:
				walk(v.Message())
			}
			return failed == nil
		})
	}
	walk(m.ProtoReflect())
	return failed
}

func TestEveryRenderedBootstrapIsOneThatEnvoyKnows(t *testing.T) {
	for name, plan := range plans() {
		t.Run(name, func(t *testing.T) {
			l, err := envoy.New().Render(plan)
			if err != nil {
				t.Fatal(err)
			}
			boot, err := parse(l.Files[0].Text)
			if err != nil {
				t.Fatalf("%v\n%s", err, l.Files[0].Text)
			}
			listeners := boot.GetStaticResources().GetListeners()
			if len(listeners) != 1 || listeners[0].GetAddress().GetSocketAddress().GetPortValue() != 18080 {
				t.Fatalf("listeners: %v", listeners)
			}
			chain := listeners[0].GetFilterChains()[0]
			var m manager.HttpConnectionManager
			if err := chain.GetFilters()[0].GetTypedConfig().UnmarshalTo(&m); err != nil {
				t.Fatal(err)
			}
			if secure := chain.GetTransportSocket() != nil; secure != (plan.TLS != nil) {
				t.Fatalf("TLS: %v", secure)
			}
			if plan.TLS != nil {
				var c tlsv3.DownstreamTlsContext
				if err := chain.GetTransportSocket().GetTypedConfig().UnmarshalTo(&c); err != nil {
					t.Fatal(err)
				}
				if alpn := c.GetCommonTlsContext().GetAlpnProtocols(); (alpn[0] == "h2") != plan.H2 {
					t.Fatalf("ALPN: %v", alpn)
				}
			}
			if n := len(boot.GetStaticResources().GetClusters()); (n == 1) != (plan.OriginPort != 0) {
				t.Fatalf("%d clusters", n)
			}
		})
	}
}

// The check itself finds what is wrong at every depth.
func TestWhatEnvoyDoesNotKnowIsFound(t *testing.T) {
	p := plans()["tls=true,h2=true,origin=h2"]
	l, err := envoy.New().Render(p)
	if err != nil {
		t.Fatal(err)
	}
	for old, wrong := range map[string]string{
		"tcp_backlog_size: 4096":            "backlog: 4096",
		"suppress_envoy_headers: true":      "suppress: true",
		"codec_type: AUTO":                  "codec_type: HTTP9",
		"port_value: 18080":                 "port_value: 99999",
		"stat_prefix: bench":                `stat_prefix: ""`,
		"upstreams.http.v3.HttpProtocolOpt": "upstreams.http.v9.HttpProtocolOpt",
	} {
		text := strings.ReplaceAll(l.Files[0].Text, old, wrong)
		if text == l.Files[0].Text {
			t.Fatalf("%q is not in the configuration", old)
		}
		if _, err := parse(text); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}
