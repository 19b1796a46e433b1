package gateway

import (
	"context"
	"time"
)

// Refresh reads the state of the copy now.
func (g *Gateway) Refresh(ctx context.Context) { g.fresh.refresh(ctx) }

// SendWithin sets how long a client may take for a chunk of a file.
func (g *Gateway) SendWithin(d time.Duration) { g.sendWithin = d }
