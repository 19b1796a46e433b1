package odasim

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
)

// reply is an answer before it is sent.
type reply struct {
	status      int
	contentType string
	encoding    string // of the body, gzip or ""
	retryAfter  string
	location    string // of a redirect
	body        []byte
}

const (
	htmlType    = "text/html"
	jsonType    = "application/json; odata=minimalmetadata; streaming=true; charset=utf-8"
	atomType    = "application/atom+xml; type=feed; charset=utf-8"
	entryType   = "application/atom+xml; type=entry; charset=utf-8"
	xmlType     = "application/xml; charset=utf-8"
	atomSvcType = "application/atomsvc+xml; charset=utf-8"
)

// The service's answers to what it cannot do: a web page if there is no such set, no body
// for a bad query or an unknown id, and an OData error only for writes.
const (
	notFoundPage = `<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">` + "\r\n" +
		`<html xmlns="http://www.w3.org/1999/xhtml">` + "\r\n<head>\r\n" +
		`<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1"/>` + "\r\n" +
		"<title>404 - File or directory not found.</title>\r\n</head>\r\n<body>\r\n" +
		"<h2>404 - File or directory not found.</h2>\r\n" +
		"<h3>The resource you are looking for might have been removed, had its name changed, or is temporarily unavailable.</h3>\r\n" +
		"</body>\r\n</html>\r\n"
	errorPage = "<!DOCTYPE html>\r\n<html>\r\n<head><title>Runtime Error</title></head>\r\n<body>\r\n" +
		"<h1>Server Error in '/' Application.</h1>\r\n<h2><i>Runtime Error</i></h2>\r\n</body>\r\n</html>\r\n"
	noticePage = "<!DOCTYPE html>\r\n<html>\r\n<head><title>Folketinget</title></head>\r\n<body>\r\n" +
		"<h1>Siden er midlertidigt utilgængelig</h1>\r\n<p>Prøv igen om lidt.</p>\r\n</body>\r\n</html>\r\n"
	writeError = `{"odata.error":{"code":"NotImplemented","message":{"lang":"en-US","value":"This service is read only."}}}`
)

func notFound() reply {
	return reply{status: http.StatusNotFound, contentType: htmlType, body: []byte(notFoundPage)}
}

func unknownID() reply { return reply{status: http.StatusNotFound} }

func badQuery() reply { return reply{status: http.StatusBadRequest} }

func noWrites() reply {
	return reply{status: http.StatusNotImplemented, contentType: jsonType, body: []byte(writeError)}
}

func found(contentType string, body []byte) reply {
	return reply{status: http.StatusOK, contentType: contentType, body: body}
}

// compress compresses the body if the client accepts gzip.
func (a *reply) compress(r *http.Request) {
	if len(a.body) == 0 || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		return
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return // the level is one of the package's constants
	}
	// A write into memory does not fail.
	_, _ = z.Write(a.body)
	_ = z.Close()
	a.body, a.encoding = packed.Bytes(), "gzip"
}
