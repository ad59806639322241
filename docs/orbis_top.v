// How to instantiate the engine that `orbis verilog --preset demo -o out/` writes: its two buses
// and the interrupt, with the names that AXI gives them. BUS_BYTES is the config's bus_bytes.
//
// One clock; rst is synchronous, high to reset. Signals that the engine does not have are constant
// at the memory's side: every burst is INCR and whole beats, with ID 0.
module orbis_top #(parameter BUS_BYTES = 64, parameter ADDRESS_BITS = 40) (
  input aclk,
  input aresetn,
  output irq,

  // AXI4-Lite slave: docs/registers.md.
  input [11:0] s_axil_awaddr,
  input [2:0] s_axil_awprot,
  input s_axil_awvalid,
  output s_axil_awready,
  input [31:0] s_axil_wdata,
  input [3:0] s_axil_wstrb,
  input s_axil_wvalid,
  output s_axil_wready,
  output [1:0] s_axil_bresp,
  output s_axil_bvalid,
  input s_axil_bready,
  input [11:0] s_axil_araddr,
  input [2:0] s_axil_arprot,
  input s_axil_arvalid,
  output s_axil_arready,
  output [31:0] s_axil_rdata,
  output [1:0] s_axil_rresp,
  output s_axil_rvalid,
  input s_axil_rready,

  // AXI4 master: docs/regions.md.
  output m_axi_awid,
  output [ADDRESS_BITS-1:0] m_axi_awaddr,
  output [7:0] m_axi_awlen,
  output [2:0] m_axi_awsize,
  output [1:0] m_axi_awburst,
  output m_axi_awvalid,
  input m_axi_awready,
  output [8*BUS_BYTES-1:0] m_axi_wdata,
  output [BUS_BYTES-1:0] m_axi_wstrb,
  output m_axi_wlast,
  output m_axi_wvalid,
  input m_axi_wready,
  input m_axi_bid,
  input [1:0] m_axi_bresp,
  input m_axi_bvalid,
  output m_axi_bready,
  output m_axi_arid,
  output [ADDRESS_BITS-1:0] m_axi_araddr,
  output [7:0] m_axi_arlen,
  output [2:0] m_axi_arsize,
  output [1:0] m_axi_arburst,
  output m_axi_arvalid,
  input m_axi_arready,
  input m_axi_rid,
  input [8*BUS_BYTES-1:0] m_axi_rdata,
  input [1:0] m_axi_rresp,
  input m_axi_rlast,
  input m_axi_rvalid,
  output m_axi_rready
);
  orbis_demo engine (
    .clk(aclk), .rst(!aresetn), .irq(irq),

    .control__awaddr(s_axil_awaddr), .control__awprot(s_axil_awprot),
    .control__awvalid(s_axil_awvalid), .control__awready(s_axil_awready),
    .control__wdata(s_axil_wdata), .control__wstrb(s_axil_wstrb),
    .control__wvalid(s_axil_wvalid), .control__wready(s_axil_wready),
    .control__bresp(s_axil_bresp), .control__bvalid(s_axil_bvalid),
    .control__bready(s_axil_bready),
    .control__araddr(s_axil_araddr), .control__arprot(s_axil_arprot),
    .control__arvalid(s_axil_arvalid), .control__arready(s_axil_arready),
    .control__rdata(s_axil_rdata), .control__rresp(s_axil_rresp),
    .control__rvalid(s_axil_rvalid), .control__rready(s_axil_rready),

    .axi__awid(m_axi_awid), .axi__awaddr(m_axi_awaddr), .axi__awlen(m_axi_awlen),
    .axi__awsize(m_axi_awsize), .axi__awburst(m_axi_awburst),
    .axi__awvalid(m_axi_awvalid), .axi__awready(m_axi_awready),
    .axi__wdata(m_axi_wdata), .axi__wstrb(m_axi_wstrb), .axi__wlast(m_axi_wlast),
    .axi__wvalid(m_axi_wvalid), .axi__wready(m_axi_wready),
    .axi__bid(m_axi_bid), .axi__bresp(m_axi_bresp),
    .axi__bvalid(m_axi_bvalid), .axi__bready(m_axi_bready),
    .axi__arid(m_axi_arid), .axi__araddr(m_axi_araddr), .axi__arlen(m_axi_arlen),
    .axi__arsize(m_axi_arsize), .axi__arburst(m_axi_arburst),
    .axi__arvalid(m_axi_arvalid), .axi__arready(m_axi_arready),
    .axi__rid(m_axi_rid), .axi__rdata(m_axi_rdata), .axi__rresp(m_axi_rresp),
    .axi__rlast(m_axi_rlast), .axi__rvalid(m_axi_rvalid), .axi__rready(m_axi_rready)
  );
endmodule
