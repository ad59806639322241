"""From components to text: RTLIL and Verilog, identical modules merged, the tools that need it."""
