"""The same data by GraphQL: types generated from the columns, limits from what a query asks for."""
