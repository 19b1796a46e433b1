package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"odastream/odata"
	"odastream/query"
	"odastream/schema"
)

// fault is why a request has no answer, as the client is told.
type fault struct {
	status     int
	detail     string
	retryAfter string // seconds; "": the client need not come back
	hidden     error  // what the log says beside it
}

func (f *fault) Error() string { return f.detail }

// send answers with the fault, as body says it. No cache keeps it.
func (f *fault) send(w http.ResponseWriter, contentType string, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	if f.retryAfter != "" {
		h.Set("Retry-After", f.retryAfter)
	}
	if f.status == http.StatusMethodNotAllowed {
		h.Set("Allow", allowed)
	}
	w.WriteHeader(f.status)
	_, err := w.Write(body)
	return err
}

// errTooLarge is the fault of an answer above maxAnswer.
var errTooLarge = refuse(http.StatusBadRequest, fmt.Sprintf("the answer is larger than %d MiB: ask for fewer rows or members, or less that belongs to them", maxAnswer>>20))

func refuse(status int, detail string) *fault { return &fault{status: status, detail: detail} }

// faultOf returns the fault that an error is to a client. What is no client's business,
// such as an address in an error of the network, is left to the log.
func faultOf(err error) *fault {
	var known *fault
	var wrong *odata.Error
	var filter *query.FilterError
	var unknown *schema.UnknownEntityError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &wrong) && wrong.NotFound:
		return refuse(http.StatusNotFound, wrong.Error())
	case errors.As(err, &wrong):
		return refuse(http.StatusBadRequest, wrong.Error())
	case errors.As(err, &filter):
		return refuse(http.StatusBadRequest, filter.Error())
	case errors.As(err, &unknown):
		return refuse(http.StatusNotFound, unknown.Error())
	case errors.Is(err, query.ErrNoRow):
		return refuse(http.StatusNotFound, err.Error())
	case errors.Is(err, query.ErrNoValue), errors.Is(err, query.ErrToken):
		return refuse(http.StatusBadRequest, err.Error())
	case errors.Is(err, odata.ErrTooLarge):
		return errTooLarge
	case errors.Is(err, errBusy):
		return &fault{status: http.StatusServiceUnavailable, detail: err.Error(), retryAfter: "1"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, query.ErrTimeout):
		return &fault{
			status: http.StatusServiceUnavailable, retryAfter: "30",
			detail: "the query took too long: ask for fewer rows or levels, or filter by id, a link or opdateringsdato",
		}
	}
	return &fault{status: http.StatusServiceUnavailable, retryAfter: "5", detail: "the copy cannot be read just now; try again", hidden: err}
}

// allowed is the value of Allow.
const allowed = "GET, HEAD, OPTIONS"

// refusal returns why a request is refused whatever it asks for; nil if it is not.
func refusal(r *http.Request) *fault {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return refuse(http.StatusMethodNotAllowed, r.Method+" is not possible here: the copy can only be read. Allowed: "+allowed)
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return refuse(http.StatusBadRequest, "the request has a body: options belong into the address")
	}
	return nil
}

// accepts reports whether a client takes one of the media types, by its Accept header.
func accepts(r *http.Request, types ...string) bool {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		return true
	}
	for item := range strings.SplitSeq(header, ",") {
		name, parameters, _ := strings.Cut(strings.ToLower(item), ";")
		if refused(parameters) {
			continue
		}
		name = strings.TrimSpace(name)
		for _, t := range types {
			family, _, _ := strings.Cut(t, "/")
			if name == t || name == "*/*" || name == family+"/*" {
				return true
			}
		}
	}
	return false
}

// refused reports whether the parameters of a media type say q=0.
func refused(parameters string) bool {
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.TrimSpace(name) == "q" && strings.Trim(strings.TrimSpace(value), "0.") == "" {
			return true
		}
	}
	return false
}
