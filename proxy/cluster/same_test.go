package cluster

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every setting of a cluster is built into its connections or is not: whoever adds one has to say which, and SameConnections has to agree.
func TestSameConnectionsKnowsEverySetting(t *testing.T) {
	connection := map[string]func(*Cluster){
		"ProxyProtocol": func(c *Cluster) { c.ProxyProtocol = ProxyProtocol("v2") },
		"Protocol":      func(c *Cluster) { c.Protocol = VersionH2 },
		"HTTP2":         func(c *Cluster) { c.HTTP2.MaxStreams = 7 },
		"TLS":           func(c *Cluster) { c.TLS = &TLS{Key: "other"} },
	}
	not := []string{
		"Name", "Endpoints", "Balance", "Options", "Key", "Sticky", "ConnectTimeout", "FirstByteTimeout", "IdleTimeout", "KeepAlive", "MaxIdle", "MaxConnections",
		"MaxPending", "Retries", "Retry", "Hedge", "Breaker", "Upkeep", "shared", "line",
	}
	for f := range reflect.TypeFor[Cluster]().Fields() {
		_, is := connection[f.Name]
		isNot := false
		for _, name := range not {
			isNot = isNot || name == f.Name
		}
		require.True(t, is != isNot, "%s: say whether it is built into connections", f.Name)
	}
	for name, change := range connection {
		a, b := Cluster{TLS: &TLS{Key: "one"}}, Cluster{TLS: &TLS{Key: "one"}}
		require.True(t, a.SameConnections(&b))
		change(&b)
		require.False(t, a.SameConnections(&b), name)
	}
	// Of HTTP2, everything is compared.
	for i := range reflect.TypeFor[HTTP2]().NumField() {
		var a, b Cluster
		v := reflect.ValueOf(&b.HTTP2).Elem().Field(i)
		require.True(t, v.CanInt(), "a kind of setting that this test does not know")
		v.SetInt(1)
		require.False(t, a.SameConnections(&b), reflect.TypeFor[HTTP2]().Field(i).Name)
	}
}
