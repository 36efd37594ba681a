package server

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Each stream of HTTP/2 counts by itself, a connection without any is idle, and what has ended counts no more.
func TestLoadCountsWhatIsUnderWay(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, withAdmin(setup{endpoints: []string{o.addr}, routes: "  - {match: {path: /*}, cluster: up, allow_upgrade: true}\n"}))
		load := func() (l Load) {
			g.operator().get("/load", &l)
			return l
		}
		l := load()
		require.EqualValues(t, 1, l.Generation)
		require.Equal(t, []ListenerLoad{{Name: g.s.Snapshot().Listeners[0].Name}}, l.Listeners)

		idle, h2, ws := g.dial(), g.dialH2(), g.dial()
		require.Equal(t, 200, idle.ask(get("/hello")).StatusCode)
		h2.headers(1, true, "GET", "/a")
		h2.headers(3, true, "GET", "/b")
		var peers []*peer
		for range 2 {
			p := o.accept()
			p.head()
			peers = append(peers, p)
		}
		ws.send(get("/ws", "Connection: Upgrade", "Upgrade: websocket"))
		tunnel := o.accept()
		tunnel.head()
		tunnel.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		require.Equal(t, 101, ws.head("GET").StatusCode)

		l = load()
		require.Equal(t, ListenerLoad{Name: l.Listeners[0].Name, Connections: 3, Idle: 1, Requests: 2, Tunnels: 1}, l.Listeners[0])
		require.Equal(t, ClusterLoad{Name: "up", Connections: 3, Requests: 2, Tunnels: 1, Endpoints: []EndpointLoad{{Name: o.addr, Connections: 3, Active: 3}}}, l.Clusters[0])
		var connections struct{ Connections []ConnectionStatus }
		g.operator().get("/connections", &connections)
		states := map[string]int{}
		for _, c := range connections.Connections {
			states[c.State]++
		}
		require.Equal(t, map[string]int{"idle": 1, "request": 1, "tunnel": 1}, states)

		for _, p := range peers {
			p.send(ok("x"))
		}
		h2.read(1)
		h2.read(3)
		ws.Close()
		tunnel.gone() // which is half of it
		tunnel.Close()
		eventually(t, "it is over", func() bool {
			l := load()
			return l.Listeners[0] == ListenerLoad{Name: l.Listeners[0].Name, Connections: 2, Idle: 2} && l.Clusters[0].Requests+l.Clusters[0].Tunnels == 0
		})
	})
}
