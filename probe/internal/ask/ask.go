// Package ask puts questions to the HTTP APIs of stores.
package ask

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// Get asks a path below a store's URL, whose user goes into the header. Errors do not hold
// the question, which may be long; the caller closes the body.
func Get(ctx context.Context, client *http.Client, base *url.URL, path string, values url.Values, header http.Header) (*http.Response, error) {
	u := *base
	user := u.User
	u.User = nil
	u.Path = strings.TrimSuffix(u.Path, "/") + path
	u.RawQuery = values.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("it is no URL")
	}
	if header != nil {
		req.Header = header.Clone()
	}
	req.Header.Set("User-Agent", "rampload")
	if user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	resp, err := client.Do(req)
	var shown *url.Error
	if errors.As(err, &shown) {
		err = shown.Err
	}
	return resp, err //nolint:wrapcheck // the caller says who was asked
}
