package gateway

import "context"

// Refresh reads the state of the copy now.
func (g *Gateway) Refresh(ctx context.Context) { g.fresh.refresh(ctx) }
