package yaml

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/rampload/rampload/profiles"
	"github.com/rampload/rampload/profiles/yaml/bind"
	"github.com/rampload/rampload/profiles/yaml/scalar"
	"github.com/rampload/rampload/profiles/yaml/section"
)

// SchemaID is the identifier of the JSON Schema of profiles.
const SchemaID = "https://github.com/rampload/rampload/schema/profile-1.json"

// Schema returns the JSON Schema (draft 2020-12) of profiles, made from the types
// that Decode reads. Editors complete and check profiles with it: put
//
//	# yaml-language-server: $schema=profile.schema.json
//
// at the top of a profile. The schema knows keys, types and units; rules between
// values are for profiles/rules.
func Schema() []byte {
	s := schemaOf(reflect.TypeFor[profileSyntax]())
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.ID = SchemaID
	s.Title = "rampload profile"
	s.Description = "A load test: who is loaded, how hard, how the client behaves, which hosts are watched and what must hold."
	s.Defs = definitions()
	s.AnyOf = []*jsonschema.Schema{{Required: []string{"targets"}}, {Required: []string{"journeys"}}}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil { // the types do not depend on input: the test of this function sees it
		panic("encode schema: " + err.Error())
	}
	return append(data, '\n')
}

// fromEnvironment is what any value may hold instead of itself.
const fromEnvironment = `\$\{[A-Za-z_][A-Za-z0-9_]*\}`

// length is a duration above 0, as far as a pattern can tell.
const length = `(([0-9]+(\.[0-9]*)?|\.[0-9]+)(h|m|s|ms|us|µs|ns))+`

func pattern(p, description string, examples ...any) *jsonschema.Schema {
	return &jsonschema.Schema{
		Type: "string", Pattern: "^(" + p + ")$|" + fromEnvironment, Description: description, Examples: examples,
	}
}

// typed is a value of a type that is no string, or comes from the environment.
func typed(s *jsonschema.Schema) *jsonschema.Schema {
	description := s.Description
	s.Description = ""
	return &jsonschema.Schema{
		Description: description,
		AnyOf:       []*jsonschema.Schema{s, {Type: "string", Pattern: fromEnvironment}},
	}
}

// enum is one of a few words.
func enum(words []string) *jsonschema.Schema {
	values := make([]any, len(words))
	for i, w := range words {
		values[i] = w
	}
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
		{Enum: values}, {Type: "string", Pattern: fromEnvironment},
	}}
}

// definitions returns the scalars of the syntax, by the names of their types.
func definitions() map[string]*jsonschema.Schema {
	const (
		decimal    = `[0-9]+(\.[0-9]+)?`
		ratePerSec = decimal + `/s`
		conns      = `[0-9]+ conns`
	)
	status := `[1-5](xx|XX|[0-9]{2})(-[1-5][0-9]{2})?`
	statusNumber := &jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(100.0), Maximum: jsonschema.Ptr(599.0)}
	status = `(` + status + `|` + strings.Join(profiles.GRPCStatuses(), "|") + `)`
	statusText := pattern(status+`(, ?`+status+`)*`, "", "2xx", "404", "200-204", "2xx,404", "ok", "ok,not-found")
	plain := &jsonschema.Schema{Types: []string{"string", "number", "boolean"}}
	return map[string]*jsonschema.Schema{
		"word":       {Type: "string", MinLength: jsonschema.Ptr(1)},
		"text":       {Type: "string"},
		"rate":       pattern(ratePerSec, "Requests per second.", "1500/s", "0.5/s"),
		"share":      pattern(decimal+`%`, "Percentage above 0%.", "70%"),
		"histograms": enum(section.HistogramWords()),
		"carrier":    enum(section.CarrierWords()),
		"precision":  pattern(decimal+`%`, "Percentage above 0%.", "5%"),
		"idleSpan":   pattern(`(`+length+` *\.\. *)?`+length, "Shortest and longest time.", "1s..120s"),
		"duration":   pattern(length+"|0", "Length of time with its unit.", "250ms", "5s", "1h30m"),
		"timeout":    pattern(length, "Length of time with its unit, above 0s.", "250ms", "5s", "1h30m"),
		"count":      typed(&jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(0.0)}),
		"limit":      typed(&jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(1.0)}),
		"weight":     typed(&jsonschema.Schema{Type: "number", ExclusiveMinimum: jsonschema.Ptr(0.0)}),
		"ceiling":    {Types: []string{"string", "number"}},
		"install":    enum([]string{"copy"}),
		"logFormat":  enum(profiles.LogFormats),
		"toggle":     typed(&jsonschema.Schema{Type: "boolean"}),
		"address":    {Type: "string", Description: "IPv4 or IPv6 address.", Examples: []any{"10.0.0.5"}},
		"level":      pattern(ratePerSec+"|"+conns, "Requests per second, or a number of held connections.", "50/s", "100 conns"),
		"peak":       pattern(ratePerSec+"|"+conns+"|max", "Requests per second, a number of held connections, or max.", "2000/s", "500 conns", "max"),
		"engine":     enum(scalar.Engines()),
		"protocol":   enum(scalar.Protocols()),
		"backoff":    enum(scalar.Backoffs()),
		"jitter":     enum(scalar.Jitters()),
		"proxy":      enum(scalar.Proxies()),
		"closer":     enum(scalar.Closers()),
		"gate":       gateSchema(),
		"portion":    pattern(decimal+`%`, "Percentage, 0% to 100%.", "1%"),
		"spansBy":    enum(profiles.SpanProtocols),
		"spansFrom":  enum(profiles.SpanAPIs),
		"statuses": {AnyOf: []*jsonschema.Schema{
			statusNumber, statusText,
			{Type: "array", Items: &jsonschema.Schema{AnyOf: []*jsonschema.Schema{statusNumber, statusText}}},
		}},
		"headers": {Types: []string{"object", "null"}, AdditionalProperties: &jsonschema.Schema{
			AnyOf: []*jsonschema.Schema{plain, {Type: "array", Items: plain}},
		}},
		"form": {Types: []string{"object", "null"}, AdditionalProperties: &jsonschema.Schema{
			AnyOf: []*jsonschema.Schema{plain, {Type: "array", Items: plain}},
		}},
		"jsonText":  {Types: []string{"object", "string", "null"}},
		"ownership": enum(scalar.Ownerships()),
		"onFailure": enum(scalar.OnFailures()),
		"thinkSpan": pattern(length+`( *\.\. *`+length+`)?`, "A time, or the shortest and the longest.", "2s", "1s..3s"),
		"arrivals":  pattern(ratePerSec+`( to `+ratePerSec+`)?`, "Journeys that begin a second.", "20/s to 200/s", "100/s"),
		"extracts": {Types: []string{"object", "null"}, AdditionalProperties: pattern(
			`(json|header|cookie|regexp) .+`, "Where the value is.", "json items.0.id", "header Location", "cookie session", "regexp id=([0-9]+)",
		)},
		"turn":    turnSchema(),
		"rowPick": enum(scalar.Picks()),
		"place":   pattern(`(json|header|regexp) .+`, "Where a message has its id.", "json order.id", "header X-Order"),
		"tables": {Types: []string{"object", "null"}, AdditionalProperties: &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "string", Examples: []any{"users.csv"}}, schemaOf(reflect.TypeFor[tableFields]()),
		}}},
		"fault": enum(profiles.RetryFaults()),
	}
}

func gateSchema() *jsonschema.Schema {
	const (
		decimal = `[0-9]+(\.[0-9]+)?`
		of      = `( *\( *[^ ()]+ *\))?`
		within  = `( +within +` + length + `)?`
		limit   = ` *(<=|>=|==|<|>) *`
		upTo    = `( +up +to +` + decimal + `/s)?`
	)
	s := pattern(` *(`+
		`(wire-resets|visible-resets|failures|lost)`+of+within+limit+`([0-9]+|`+decimal+`%)`+upTo+`|`+
		`p`+decimal+of+within+limit+length+upTo+`|`+
		`headroom *\( *[^ ()]+ *\)`+limit+decimal+`%`+upTo+`|`+
		`onset`+of+limit+decimal+`/s|`+
		`crosses *\( *`+decimal+`%( *,? *[^ (),]+)? *\)`+limit+decimal+`/s) *`,
		"What is measured, compared with a value: metric [within DURATION] < VALUE [up to RATE]. "+
			"Metrics: wire-resets, visible-resets, failures, lost (a count or a percentage), p50 to p99.99 (a duration), "+
			"headroom(RESOURCE) (a percentage), onset and crosses(SHARE) (a rate); all but headroom also for one target, as in failures(orders) and crosses(0.1%, orders).")
	s.Examples = []any{
		"wire-resets == 0 up to 1500/s", "failures within 10s < 1%", "onset > 1500/s", "crosses(0.1%) > 1500/s",
		"p99 < 250ms up to 1500/s", "headroom(open-files) > 20%",
	}
	return s
}

// schemaOf returns the schema of a type of the syntax.
func schemaOf(t reflect.Type) *jsonschema.Schema {
	switch {
	case t.Kind() == reflect.Pointer:
		s := schemaOf(t.Elem())
		if s.Type == "object" { // a section whose lines are all commented out
			s.Type, s.Types = "", []string{"object", "null"}
		}
		return s
	case t == reflect.TypeFor[requestSyntax]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "string", Description: "Method and path; a gRPC call with an empty message; a Redis command; an SQL statement.", Examples: []any{"GET /orders/42", "shop.Orders/List", "SET key value", "SELECT 1"}},
			schemaOf(reflect.TypeFor[requestFields]()),
		}}
	case t == reflect.TypeFor[stepSyntax]():
		s, request := schemaOf(reflect.TypeFor[stepFields]()), schemaOf(reflect.TypeFor[requestFields]())
		for _, key := range request.PropertyOrder {
			if _, own := s.Properties[key]; own { // name
				continue
			}
			s.Properties[key] = request.Properties[key]
			s.PropertyOrder = append(s.PropertyOrder, key)
		}
		return s
	case t == reflect.TypeFor[turnSyntax]():
		return &jsonschema.Schema{Ref: "#/$defs/turn"}
	case t == reflect.TypeFor[agentSyntax]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "string", Examples: []any{"ssh", "ssh://root@orders-1:22", "orders-1"}},
			schemaOf(reflect.TypeFor[agentFields]()),
		}}
	case t == reflect.TypeFor[metricsSyntax]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "string", Examples: []any{"http://db-1:9100/metrics"}},
			schemaOf(reflect.TypeFor[metricsFields]()),
		}}
	case t == reflect.TypeFor[section.ExportSyntax]():
		return shortOr(reflect.TypeFor[section.ExportFields](), ":9464")
	case t == reflect.TypeFor[section.WriteSyntax]():
		return shortOr(reflect.TypeFor[section.WriteFields](), "http://prometheus:9090/api/v1/write")
	case t == reflect.TypeFor[section.OTLPSyntax]():
		return shortOr(reflect.TypeFor[section.OTLPFields](), "http://collector:4318")
	case t == reflect.TypeFor[section.ReceiverSyntax]():
		return shortOr(reflect.TypeFor[section.ReceiverFields](), "http://127.0.0.1:9093")
	case t == reflect.TypeFor[section.Logs]():
		one := shortOr(reflect.TypeFor[section.LogFields](), "/var/log/nginx/*.log")
		one.AnyOf[0].Examples = append(one.AnyOf[0].Examples, "none")
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{one, {Types: []string{"array", "null"}, Items: shortOr(reflect.TypeFor[section.LogFields](), "/var/log/nginx/*.log")}}}
	case t == reflect.TypeFor[pollSyntax]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "string", Examples: []any{"location", "/orders/${accepted.id}"}},
			schemaOf(reflect.TypeFor[pollFields]()),
		}}
	case t == reflect.TypeFor[callbackSyntax]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "string", Examples: []any{"127.0.0.1:9099"}},
			schemaOf(reflect.TypeFor[callbackFields]()),
		}}
	case t == reflect.TypeFor[section.SpanSinkSyntax]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "string", Examples: []any{"http://collector:4318"}},
			schemaOf(reflect.TypeFor[section.SpanSinkFields]()),
		}}
	case t == reflect.TypeFor[section.SpanStoreSyntax]():
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{
			{Type: "string", Examples: []any{"http://jaeger:16686"}},
			schemaOf(reflect.TypeFor[section.SpanStoreFields]()),
		}}
	case t == reflect.TypeFor[metricsList]():
		one := schemaOf(reflect.TypeFor[metricsSyntax]())
		return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{one, {Type: "array", Items: one.CloneSchemas()}}}
	case bind.IsScalar(t) || t == reflect.TypeFor[jsonText]() || t == reflect.TypeFor[scalar.Headers]() || t == reflect.TypeFor[scalar.Form]() || t == reflect.TypeFor[tables]() || t == reflect.TypeFor[extracts]():
		return &jsonschema.Schema{Ref: "#/$defs/" + definitionOf(t)}
	case t.Kind() == reflect.Slice:
		return &jsonschema.Schema{Types: []string{"array", "null"}, Items: schemaOf(t.Elem())}
	}
	s := &jsonschema.Schema{
		Type: "object", Properties: make(map[string]*jsonschema.Schema),
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}}, // false
	}
	for _, f := range bind.FieldsOf(t) {
		p := schemaOf(t.Field(f.Index).Type)
		if t == reflect.TypeFor[retriesSyntax]() && f.Key == "on" {
			p.Items = &jsonschema.Schema{Ref: "#/$defs/fault"}
		}
		p.Description = f.About
		s.Properties[f.Key] = p
		s.PropertyOrder = append(s.PropertyOrder, f.Key)
		if f.Required {
			s.Required = append(s.Required, f.Key)
		}
	}
	if t == reflect.TypeFor[stageSyntax]() {
		for _, shape := range stageShapes() {
			s.AnyOf = append(s.AnyOf, &jsonschema.Schema{Required: shape.needs})
		}
	}
	return s
}

// definitionOf is the name of a type of the syntax among the definitions.
func definitionOf(t reflect.Type) string {
	name := t.Name()
	return strings.ToLower(name[:1]) + name[1:]
}

// shortOr is a text in place of fields that most leave out, or the fields.
func shortOr(fields reflect.Type, example string) *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{{Type: "string", Examples: []any{example}}, schemaOf(fields)}}
}
