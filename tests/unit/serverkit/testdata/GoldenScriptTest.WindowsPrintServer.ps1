# Makes this host a real server for direct routing: it owns the VIPs below and answers no ARP
# or ND request for them (guide sections 7.1 and 15.2).
# Run it in an elevated Windows PowerShell, as often as you like:
#   powershell -ExecutionPolicy Bypass -File SCRIPT.ps1

$Action = 'apply'
$Vips4 = @('10.10.10.150', '10.10.10.151')
$Vips6 = @('fd00::150')
$LanName = 'the LAN''s $(adapter) `2'  # '' = that of the default route
$Role = 'print'
$SharedName = 'Dispatcher'
$NameResolution = 'netbios'

