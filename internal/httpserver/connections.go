package httpserver

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// connections bounds how many connections a server keeps. Above the limit it closes
// the one whose last request began longest ago. So a new connection, such as that of a
// health check, is always answered.
type connections struct {
	limit int

	mu    sync.Mutex
	order *list.List // of net.Conn; the first is closed next
	at    map[net.Conn]*list.Element
}

func newConnections(limit int) *connections {
	return &connections{limit: limit, order: list.New(), at: map[net.Conn]*list.Element{}}
}

// track is an http.Server's ConnState.
func (c *connections) track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.at[conn] = c.order.PushBack(conn)
		if c.order.Len() > c.limit {
			c.closeFirst()
		}
	case http.StateActive:
		if e := c.at[conn]; e != nil {
			c.order.MoveToBack(e)
		}
	case http.StateClosed, http.StateHijacked:
		c.remove(conn)
	case http.StateIdle: // its last request keeps its place
	}
}

func (c *connections) closeFirst() {
	conn := c.order.Front().Value.(net.Conn) // nothing else is stored there
	c.remove(conn)
	_ = conn.Close() // the server then ends its request
}

func (c *connections) remove(conn net.Conn) {
	if e := c.at[conn]; e != nil {
		c.order.Remove(e)
		delete(c.at, conn)
	}
}
