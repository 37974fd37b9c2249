package render

// Quantity returns a value in its unit as tables show it: "1,024", "61%",
// "1.5 GiB".
func Quantity(v float64, unit string) string { return quantity(&v, unit) }
