// Package otlp reads OpenTelemetry's traces of pipelines: those that follow the
// semantic conventions for CI/CD, and those of Jenkins' plugin. It touches
// neither network nor database.
package otlp

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	collectorpb "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// MaxSpans is how many spans one request may hold.
const MaxSpans = 50_000

// The media types of OTLP over HTTP.
const (
	Protobuf = "application/x-protobuf"
	JSON     = "application/json"
)

// A span is one span with what is known around it.
type span struct {
	trace, id, parent string // in hexadecimal
	name              string
	attributes        map[string]string // its own
	resource          map[string]string
	raw               *tracepb.Span
	up                *span // nil: not in this request
}

// get is the first of the attributes that is said, of the span or else of its
// resource.
func (s *span) get(names ...string) string {
	for _, from := range []map[string]string{s.attributes, s.resource} {
		for _, n := range names {
			if v := from[n]; v != "" {
				return v
			}
		}
	}
	return ""
}

// has tells whether the span itself has one of the attributes.
func (s *span) has(names ...string) bool {
	for _, n := range names {
		if s.attributes[n] != "" {
			return true
		}
	}
	return false
}

// read decodes a request into its spans, in order.
func read(media string, body []byte) ([]*span, error) {
	var request collectorpb.ExportTraceServiceRequest
	if media == JSON {
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, &request); err != nil {
			return nil, errors.New("the body is not OTLP in JSON")
		}
	} else if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, &request); err != nil {
		return nil, errors.New("the body is not OTLP in protobuf")
	}
	var all []*span
	for _, rs := range request.GetResourceSpans() {
		resource := attributes(rs.GetResource().GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			for _, raw := range ss.GetSpans() {
				if len(all) == MaxSpans {
					return nil, fmt.Errorf("a request may hold %d spans", MaxSpans)
				}
				all = append(all, &span{
					trace: identifier(media, raw.GetTraceId()), id: identifier(media, raw.GetSpanId()), parent: identifier(media, raw.GetParentSpanId()),
					name: raw.GetName(), attributes: attributes(raw.GetAttributes()), resource: resource, raw: raw,
				})
			}
		}
	}
	link(all)
	return all, nil
}

// identifier is an id in hexadecimal. In OTLP's JSON it is written so, which
// protobuf's JSON takes for base64.
func identifier(media string, id []byte) string {
	if media != JSON {
		return hex.EncodeToString(id)
	}
	return base64.StdEncoding.EncodeToString(id)
}

// link finds each span's parent among those of the request.
func link(all []*span) {
	type key struct{ trace, id string }
	byID := make(map[key]*span, len(all))
	for _, s := range all {
		byID[key{s.trace, s.id}] = s
	}
	for _, s := range all {
		if up := byID[key{s.trace, s.parent}]; s.parent != "" && up != s {
			s.up = up
		}
	}
}

// attributes are those that have a plain value, as text.
func attributes(all []*commonpb.KeyValue) map[string]string {
	m := make(map[string]string, len(all))
	for _, a := range all {
		switch v := a.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			m[a.GetKey()] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			m[a.GetKey()] = strconv.FormatInt(v.IntValue, 10)
		case *commonpb.AnyValue_BoolValue:
			m[a.GetKey()] = strconv.FormatBool(v.BoolValue)
		}
	}
	return m
}

// Response is the answer to a request of which so many spans were not used, and
// why.
func Response(media string, rejected int, reason string) ([]byte, error) {
	answer := &collectorpb.ExportTraceServiceResponse{}
	if rejected > 0 {
		answer.PartialSuccess = &collectorpb.ExportTracePartialSuccess{RejectedSpans: int64(rejected), ErrorMessage: reason}
	}
	marshal := proto.Marshal
	if media == JSON {
		marshal = protojson.Marshal
	}
	body, err := marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("write the answer: %w", err)
	}
	return body, nil
}
