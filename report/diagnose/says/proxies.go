package says

import (
	"slices"
	"strings"
)

// proxyWords are what proxies and caches say in words that the vocabulary does not have.
var proxyWords = []wording{
	{Refused, Behind, []string{"fetcherror: no backend connection", "backend … connection failed (111", "fetcherror: backend … : fail errno 111"}},
	{NoServer, Behind, []string{
		"is unhealthy", "detected dead parent", "no backend available", "no healthy backend", "no healthy host", "no upstreams available", "no upstream available", "cluster_not_found", "unknown cluster", "fetcherror: director", "fetcherror: none of the backends",
		"no peer available", "connection to upstream is disabled", "was marked as unhealthy",
	}},
	{Pool, Writer, []string{"fetcherror: backend … busy", "hystrix: max concurrency", "timeout occurred while waiting for a slot"}},
	{Slow, Behind, []string{"first byte timeout", "between bytes timeout", "fetcherror: timed out", "upstream_response_timeout", "upstream_per_try_timeout", "the timeout period elapsed prior to completion", "httpclient.timeout", "timeout awaiting response headers"}},
	{Closed, Behind, []string{"http first read error: eof", "http read error: eof", "http: server closed idle connection", "bad gateway: eof", "premature eof"}},
	{Short, Writer, []string{"straight insufficient bytes", "body: unexpected end", "transfer closed with … remaining", "backend … short read"}},
	{BadAnswer, Writer, []string{"http format error", "upstream sent invalid", "invalid response from upstream", "codec_error", "header too large from"}},
	{Store, Writer, []string{"could not get storage", "no space in the cache"}},
	{Files, Writer, []string{"running out of filedescriptors", "too few file descriptors"}},
	{Large, Writer, []string{"request_payload_too_large", "request_headers_too_large", "request body larger than", "http: request body too large"}},
	{Slots, Writer, []string{"maxclients reached", "maximum number of clients", "connection slots", "server is at max connections", "denied client connection: max connections"}},
	{Workers, Writer, []string{"worker threads are busy", "no free worker", "threads are all busy"}},
}

// proxyNames are short codes of proxies: the details of Envoy's answers, the pages of Squid.
var proxyNames = []naming{
	{NoServer, Behind, "no_healthy_upstream cluster_not_found ERR_CANNOT_FORWARD"},
	{Rate, Writer, "local_rate_limited global_rate_limited request_rate_limited"},
	{Queue, Writer, "upstream_overflow overload_manager_overload"},
	{Slow, Behind, "upstream_response_timeout upstream_per_try_timeout stream_idle_timeout upstream_max_stream_duration_reached"},
	{Forbidden, Writer, "rbac_access_denied ext_authz_denied ERR_ACCESS_DENIED"},
	{Credentials, Writer, "jwt_authn_access_denied ERR_CACHE_ACCESS_DENIED"},
	{Large, Writer, "request_payload_too_large request_headers_too_large ERR_TOO_BIG EntityTooLarge MaxMessageLengthExceeded RequestEntityTooLarge"},
	{BadAnswer, Writer, "upstream_codec_error ERR_INVALID_RESP"},
}

// badChecks is how proxies say that they take a server out for what it answered to a check.
var badChecks = []string{"reason: layer7 wrong status", "reason: layer7 invalid response", "failed active health check", "unhealthy status code", "received error status code"}

// lateChecks is how they say that a check had no answer in time, on a connection that came up.
var lateChecks = []string{"reason: layer7 timeout", "removing from server list. context deadline exceeded"}

// BadCheck reports whether a text says that a server was taken out for what it answered to a
// check: it was reached, and was there to answer.
func BadCheck(text string) bool {
	low := strings.ToLower(text)
	return slices.ContainsFunc(badChecks, func(p string) bool { return strings.Contains(low, p) })
}

// LateCheck reports whether a text says that a server was taken out because it did not answer a
// check in time: it took the connection, and may be busy.
func LateCheck(text string) bool {
	low := strings.ToLower(text)
	return slices.ContainsFunc(lateChecks, func(p string) bool { return strings.Contains(low, p) })
}
