package odata_test

import (
	"errors"
	"fmt"

	"odastream/odata"
	"odastream/schema"
)

// A program that serves rows of the source's form reads the queries of its clients.
func ExampleModel_Parse() {
	model := odata.NewModel(schema.Entities())
	request, err := model.Parse("Sag", "$filter=substringof('klima',titel)+and+Periode/kode+ge+'20251'&$orderby=opdateringsdato+desc&$top=5")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(request.Entity.Name, *request.Top)
	fmt.Println(request.Filter)
	fmt.Println(odata.Holds(request.Filter, aCase()))

	_, err = model.Parse("Sag", "$filter=contains(titel,'klima')")
	var wrong *odata.Error
	fmt.Println(errors.As(err, &wrong), wrong.What)
	// Output:
	// Sag 5
	// substringof('klima',titel) and (Periode/kode ge '20251')
	// true
	// true unknown function "contains", which is of OData v4: write substringof('text',field)
}
