package pgtest

import (
	"net/url"
	"testing"

	"odastream/internal/test/faultproxy"
)

// Proxied returns a proxy to the server of address, which names the directory of a Unix
// socket, and the address through the proxy with other parameters set.
func Proxied(t testing.TB, address string, parameters map[string]string) (string, *faultproxy.Proxy) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	proxy := faultproxy.New(t, q.Get("host")+"/.s.PGSQL.5432")
	q.Del("host")
	q.Del("port")
	for name, value := range parameters {
		q.Set(name, value)
	}
	u.Host, u.RawQuery = proxy.Addr(), q.Encode()
	return u.String(), proxy
}
