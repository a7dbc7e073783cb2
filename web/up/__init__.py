"""`spanfeed up`: starts every process of Spanfeed, watches over them, ends them together."""
