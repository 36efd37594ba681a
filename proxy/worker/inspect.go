package worker

import "github.com/blitz-gateway/blitz/proxy/downstream"

// Connections describes up to limit client connections. On the loop's thread.
func (w *Worker) Connections(limit int) []downstream.Info { return w.down.AppendInfo(nil, limit) }

// Survey tells what the client connections carry. On the loop's thread.
func (w *Worker) Survey() downstream.Survey { return w.down.Survey() }
