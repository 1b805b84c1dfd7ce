Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

# The names and places that belong to this script. What was there before is recorded in the file
# before it is changed, once, so that a second run does not take our value for it.
$LoopbackName = 'loopback'
$LoopbackDescription = 'Microsoft KM-TEST Loopback Adapter'
$StateFolder = Join-Path $env:ProgramData 'Fairlead'
$StateFile = Join-Path $StateFolder 'realserver.clixml'
$Lsa = 'HKLM:\SYSTEM\CurrentControlSet\Control\Lsa'
$Lanman = 'HKLM:\SYSTEM\CurrentControlSet\Services\lanmanserver\parameters'
# Spelt as in guide section 8.1.
$DnsOnWire = 'HKLM:\SYSTEM\CurrentControlSet\Control\Print\DNSOneWire'

# The cmdlets of the module NetTCPIP came with Windows Server 2012 (6.2).
$Windows = [Environment]::OSVersion.Version
$IsServer2008 = $Windows -lt [Version]'6.2'
$Problems = 0

function Say([string] $Kind, [string] $Text) { Write-Output ('{0,-8} {1}' -f $Kind, $Text) }

# ---- What was there before --------------------------------------------------------------------

# A list of records: Key (what was changed), Kind, Target, Name, Before ($null: it was not there).
function Read-State {
  if (-not (Test-Path $StateFile)) { return @() }
  return @(Import-Clixml $StateFile | Where-Object { $null -ne $_ })
}

function Write-State($Records) {
  New-Item -ItemType Directory -Force $StateFolder | Out-Null
  @($Records) | Export-Clixml $StateFile
}

function Add-Record([string] $Kind, [string] $Target, [string] $Name, $Before) {
  $key = "$Kind|$Target|$Name"
  $records = @(Read-State)
  if (@($records | Where-Object { $_.Key -eq $key }).Count -gt 0) { return }
  $record = New-Object PSObject -Property @{
    Key = $key; Kind = $Kind; Target = $Target; Name = $Name; Before = $Before
  }
  Write-State ($records + $record)
}

# ---- The loopback adapter ---------------------------------------------------------------------

# Guide section 15.2, step 1. What the wizard hdwwiz does: a device with the hardware id of
# netloop.inf, and its driver (SetupAPI: SetupDiCreateDeviceInfo, DIF_REGISTERDEVICE;
# UpdateDriverForPlugAndPlayDevices; DiUninstallDevice).
$DeviceSource = @'
using System;
using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;

public static class FairleadLoopback {
  [StructLayout(LayoutKind.Sequential)]
  struct DeviceInfo { public uint Size; public Guid Class; public uint Instance; public IntPtr Reserved; }

  [DllImport("setupapi.dll", SetLastError = true)]
  static extern IntPtr SetupDiCreateDeviceInfoList(ref Guid classGuid, IntPtr window);
  [DllImport("setupapi.dll", SetLastError = true, CharSet = CharSet.Unicode)]
  static extern bool SetupDiCreateDeviceInfo(IntPtr set, string name, ref Guid classGuid,
      string description, IntPtr window, uint flags, ref DeviceInfo device);
  [DllImport("setupapi.dll", SetLastError = true, CharSet = CharSet.Unicode)]
  static extern bool SetupDiOpenDeviceInfo(IntPtr set, string instanceId, IntPtr window, uint flags,
      ref DeviceInfo device);
  [DllImport("setupapi.dll", SetLastError = true, CharSet = CharSet.Unicode)]
  static extern bool SetupDiSetDeviceRegistryProperty(IntPtr set, ref DeviceInfo device,
      uint property, byte[] value, uint size);
  [DllImport("setupapi.dll", SetLastError = true)]
  static extern bool SetupDiCallClassInstaller(uint function, IntPtr set, ref DeviceInfo device);
  [DllImport("setupapi.dll", SetLastError = true)]
  static extern bool SetupDiDestroyDeviceInfoList(IntPtr set);
  [DllImport("newdev.dll", SetLastError = true, CharSet = CharSet.Unicode)]
  static extern bool UpdateDriverForPlugAndPlayDevices(IntPtr window, string hardwareId, string inf,
      uint flags, out bool reboot);
  [DllImport("newdev.dll", SetLastError = true)]
  static extern bool DiUninstallDevice(IntPtr window, IntPtr set, ref DeviceInfo device, uint flags,
      out bool reboot);

  const uint GenerateId = 1, HardwareId = 1, RegisterDevice = 0x19, Force = 1;
  static Guid NetClass = new Guid("4d36e972-e325-11ce-bfc1-08002be10318");

  static void Check(bool done, string what) {
    if (!done) throw new Win32Exception(Marshal.GetLastWin32Error(), what);
  }

  static IntPtr NewSet() {
    IntPtr set = SetupDiCreateDeviceInfoList(ref NetClass, IntPtr.Zero);
    Check(set != new IntPtr(-1), "SetupDiCreateDeviceInfoList");
    return set;
  }

  static DeviceInfo NewInfo() {
    DeviceInfo device = new DeviceInfo();
    device.Size = (uint)Marshal.SizeOf(typeof(DeviceInfo));
    return device;
  }

  public static void Install(string hardwareId, string inf) {
    IntPtr set = NewSet();
    try {
      DeviceInfo device = NewInfo();
      Check(SetupDiCreateDeviceInfo(set, "Net", ref NetClass, null, IntPtr.Zero, GenerateId,
                                    ref device), "SetupDiCreateDeviceInfo");
      byte[] ids = Encoding.Unicode.GetBytes(hardwareId + "\0\0");
      Check(SetupDiSetDeviceRegistryProperty(set, ref device, HardwareId, ids, (uint)ids.Length),
            "SetupDiSetDeviceRegistryProperty");
      Check(SetupDiCallClassInstaller(RegisterDevice, set, ref device), "DIF_REGISTERDEVICE");
    } finally { SetupDiDestroyDeviceInfoList(set); }
    bool reboot;
    Check(UpdateDriverForPlugAndPlayDevices(IntPtr.Zero, hardwareId, inf, Force, out reboot),
          "UpdateDriverForPlugAndPlayDevices");
  }

  public static void Uninstall(string instanceId) {
    IntPtr set = NewSet();
    try {
      DeviceInfo device = NewInfo();
      Check(SetupDiOpenDeviceInfo(set, instanceId, IntPtr.Zero, 0, ref device),
            "SetupDiOpenDeviceInfo");
      bool reboot;
      Check(DiUninstallDevice(IntPtr.Zero, set, ref device, 0, out reboot), "DiUninstallDevice");
    } finally { SetupDiDestroyDeviceInfoList(set); }
  }
}
'@

function Use-DeviceInstaller {
  if (-not [Environment]::Is64BitProcess -and [Environment]::Is64BitOperatingSystem) {
    throw 'Drivers are installed from the 64-bit Windows PowerShell only; start that one.'
  }
  if (-not ('FairleadLoopback' -as [type])) { Add-Type -TypeDefinition $DeviceSource }
}

# Found by its description; of several, the one that carries our name.
function Find-Loopback {
  $found = @(Get-NetAdapter |
      Where-Object { $_.InterfaceDescription -like "$LoopbackDescription*" })
  $named = @($found | Where-Object { $_.Name -eq $LoopbackName })
  if ($named.Count -gt 0) { return $named[0] }
  if ($found.Count -gt 0) { return $found[0] }
  return $null
}

function Install-Loopback {
  $adapter = Find-Loopback
  if ($null -eq $adapter) {
    Use-DeviceInstaller
    [FairleadLoopback]::Install('*msloop', (Join-Path $env:windir 'inf\netloop.inf'))
    for ($i = 0; $i -lt 60 -and $null -eq $adapter; $i++) {
      Start-Sleep -Milliseconds 500
      $adapter = Find-Loopback
    }
    if ($null -eq $adapter) { throw "$LoopbackDescription was installed, but does not appear" }
    Add-Record 'adapter' $adapter.PnPDeviceID '' $null
    Say 'set' "$LoopbackDescription is installed"
  }
  # The guide's commands name the adapter "loopback".
  if ($adapter.Name -cne $LoopbackName) {
    Add-Record 'name' $adapter.InterfaceGuid '' $adapter.Name
    Rename-NetAdapter -InputObject $adapter -NewName $LoopbackName
    Say 'set' "the adapter $($adapter.Name) is named $LoopbackName"
  }
  return
}

# ---- Interfaces -------------------------------------------------------------------------------

# The adapter that clients' packets come in on ("net" in the guide).
function Find-Lan {
  if ($LanName -ne '') {
    $lan = Get-NetAdapter | Where-Object { $_.Name -eq $LanName }
    if ($null -eq $lan) {
      throw "there is no adapter '$LanName'; this host has: $((Get-NetAdapter).Name -join ', ')"
    }
    return $lan
  }
  $loopback = Find-Loopback
  $route = Get-NetRoute -ErrorAction SilentlyContinue |
    Where-Object { '0.0.0.0/0', '::/0' -contains $_.DestinationPrefix } |
    Where-Object { $null -eq $loopback -or $_.ifIndex -ne $loopback.ifIndex } |
    Sort-Object RouteMetric | Select-Object -First 1
  if ($null -eq $route) { throw 'there is no default route: print the script with --interface' }
  return Get-NetAdapter -InterfaceIndex $route.ifIndex
}

# Sets a property of Set-NetIPInterface, when it differs.
function Set-Interface($Adapter, [string] $Family, [string] $Name, [string] $Value) {
  $interface = Get-NetIPInterface -InterfaceIndex $Adapter.ifIndex -AddressFamily $Family
  $before = [string]$interface.$Name
  if ($before -eq $Value) { return }
  Add-Record 'interface' "$($Adapter.InterfaceGuid)|$Family" $Name $before
  $arguments = @{ InterfaceIndex = $Adapter.ifIndex; AddressFamily = $Family; $Name = $Value }
  Set-NetIPInterface @arguments
  Say 'set' "$($interface.InterfaceAlias) ${Family}: $Name = $Value (was $before)"
}

# Guide section 15.2, step 3: packets for the VIP come in on the LAN adapter, but the VIP belongs to
# the loopback adapter (weak host receive), and replies from the VIP leave by the LAN adapter (weak
# host send of the loopback adapter). RFC 1122 section 3.3.4.2. The same by netsh:
#   netsh interface ipv4 set interface "net" weakhostreceive=enabled
#   netsh interface ipv4 set interface "loopback" weakhostreceive=enabled
#   netsh interface ipv4 set interface "loopback" weakhostsend=enabled
#   netsh interface ipv6 set interface "net" weakhostreceive=enabled
#   netsh interface ipv6 set interface "loopback" weakhostreceive=enabled
#   netsh interface ipv6 set interface "loopback" weakhostsend=enabled
#   netsh interface ipv6 set interface "loopback" dadtransmits=0
function Set-WeakHost($Loopback, $Lan, [string] $Family) {
  # No lease, no 169.254 address besides the VIP.
  if ($Family -eq 'IPv4') { Set-Interface $Loopback $Family 'Dhcp' 'Disabled' }
  # No duplicate address detection: every real server has the same VIP.
  Set-Interface $Loopback $Family 'DadTransmits' '0'
  Set-Interface $Loopback $Family 'WeakHostReceive' 'Enabled'
  Set-Interface $Loopback $Family 'WeakHostSend' 'Enabled'
  Set-Interface $Lan $Family 'WeakHostReceive' 'Enabled'
  # Never preferred to a real adapter:
  #   netsh interface ipv4 set interface "loopback" metric=254
  Set-Interface $Loopback $Family 'AutomaticMetric' 'Disabled'
  Set-Interface $Loopback $Family 'InterfaceMetric' '254'
}

# Guide section 15.2, step 2: one address of each VIP, with a mask for itself alone; /128 for IPv6
# too, for with the network's own length the server would take its neighbours to be on the loopback
# adapter. SkipAsSource: it serves, but Windows neither uses it for its own connections nor registers
# it in DNS. The same by netsh:
#   netsh interface ipv4 add address "loopback" ADDRESS 255.255.255.255 skipassource=true
#   netsh interface ipv6 add address "loopback" ADDRESS/128 skipassource=true
function Add-Vip($Loopback, [string] $Address, [int] $Length) {
  $present = @(Get-NetIPAddress -IPAddress $Address -ErrorAction SilentlyContinue |
      Where-Object { $_.ifIndex -eq $Loopback.ifIndex })
  if ($present.Count -eq 0) {
    Add-Record 'address' $Loopback.InterfaceGuid $Address $null
    New-NetIPAddress -InterfaceIndex $Loopback.ifIndex -IPAddress $Address -PrefixLength $Length `
      -SkipAsSource $true | Out-Null
    Say 'set' "$Address/$Length on $LoopbackName"
  } elseif (-not $present[0].SkipAsSource) {
    Add-Record 'skip' "$($Loopback.InterfaceGuid)|$Address" '' 'False'
    Set-NetIPAddress -InterfaceIndex $Loopback.ifIndex -IPAddress $Address -SkipAsSource $true
    Say 'set' "$Address is never a source address"
  }
}

# VIPs that an earlier run put there and that are no longer in the list.
function Remove-OldVips($Loopback) {
  $kept = @()
  foreach ($record in @(Read-State)) {
    $old = $record.Kind -eq 'address' -and $Vips4 -notcontains $record.Name -and
      $Vips6 -notcontains $record.Name
    if ($old) {
      Get-NetIPAddress -IPAddress $record.Name -ErrorAction SilentlyContinue |
        Where-Object { $_.ifIndex -eq $Loopback.ifIndex } | Remove-NetIPAddress -Confirm:$false
      Say 'removed' "$($record.Name) from $LoopbackName"
    } else {
      $kept += $record
    }
  }
  if (Test-Path $StateFile) { Write-State $kept }
}

# The name of this server must not lead to the VIP.
function Disable-DnsRegistration($Loopback) {
  $client = Get-DnsClient -InterfaceIndex $Loopback.ifIndex
  if (-not $client.RegisterThisConnectionsAddress) { return }
  Add-Record 'dns' $Loopback.InterfaceGuid '' 'True'
  Set-DnsClient -InterfaceIndex $Loopback.ifIndex -RegisterThisConnectionsAddress $false
  Say 'set' "$LoopbackName is not registered in DNS"
}

# Guide section 15.2, step 2 unticks everything but TCP/IP; section 8 wants Client for Microsoft
# Networks and File and Printer Sharing ticked on print servers. So: on for --role print, else off.
function Set-Bindings {
  $wanted = @()
  if ($Vips4.Count -gt 0) { $wanted += 'ms_tcpip' }
  if ($Vips6.Count -gt 0) { $wanted += 'ms_tcpip6' }
  if ($Role -eq 'print') { $wanted += 'ms_msclient', 'ms_server' }
  foreach ($binding in @(Get-NetAdapterBinding -Name $LoopbackName)) {
    $on = $wanted -contains $binding.ComponentID
    if ([bool]$binding.Enabled -eq $on) { continue }
    Add-Record 'binding' $LoopbackName $binding.ComponentID ([string]$binding.Enabled)
    Set-NetAdapterBinding -Name $LoopbackName -ComponentID $binding.ComponentID -Enabled $on
    Say 'set' "$LoopbackName, $($binding.DisplayName): $(if ($on) { 'on' } else { 'off' })"
  }
}

# ---- Print servers ----------------------------------------------------------------------------

function Get-RegistryValue([string] $Key, [string] $Name) {
  $item = Get-ItemProperty -Path $Key -ErrorAction SilentlyContinue
  if ($null -eq $item -or $null -eq $item.PSObject.Properties[$Name]) { return $null }
  return , $item.$Name
}

function Set-RegistryValue([string] $Key, [string] $Name, [string] $Type, $Value) {
  $before = Get-RegistryValue $Key $Name
  $type_before = ''
  if ($null -ne $before) { $type_before = [string](Get-Item $Key).GetValueKind($Name) }
  if ($type_before -eq $Type -and (@($before) -join '|') -eq (@($Value) -join '|')) { return }
  Add-Record 'registry' $Key $Name @{ Type = $type_before; Value = $before }
  if (-not (Test-Path $Key)) { New-Item -Path $Key -Force | Out-Null }
  New-ItemProperty -Path $Key -Name $Name -PropertyType $Type -Value $Value -Force | Out-Null
  Say 'set' "$Key\$Name = $(@($Value) -join ', ')"
}

# Guide section 8.1: the server answers to the shared name too, from other hosts and from itself.
function Set-SharedName {
  Set-RegistryValue $Lsa 'DisableLoopbackCheck' 'DWord' 1
  Set-RegistryValue $Lanman 'DisableStrictNameChecking' 'DWord' 1
  # Further names that stand there already stay.
  $names = @(Get-RegistryValue $Lanman 'OptionalNames' | ForEach-Object { $_ } |
      Where-Object { $_ -and $_ -ne $SharedName })
  Set-RegistryValue $Lanman 'OptionalNames' 'MultiString' ([string[]]($names + $SharedName))
  # Guide section 8.1, Windows Server 2008 only (6.0 and 6.1): a QWORD instead of a DWORD.
  if ($IsServer2008) { Set-RegistryValue $DnsOnWire 'DnsOnWire' 'QWord' 1 }
}

# Guide section 8.2. dns: NetBIOS over TCP/IP is off on all interfaces. netbios: on for the loopback
# adapter, off for the others. 0 = as DHCP says, 1 = on, 2 = off
# (Win32_NetworkAdapterConfiguration.SetTcpipNetbios).
function Set-NetBios {
  foreach ($adapter in @(Get-WmiObject Win32_NetworkAdapterConfiguration -Filter 'IPEnabled = TRUE')) {
    $is_loopback = $adapter.Description -like "$LoopbackDescription*"
    $wanted = 2
    if ($NameResolution -eq 'netbios' -and $is_loopback) { $wanted = 1 }
    if ($adapter.TcpipNetbiosOptions -eq $wanted) { continue }
    Add-Record 'netbios' $adapter.SettingID '' ([string]$adapter.TcpipNetbiosOptions)
    $result = $adapter.SetTcpipNetbios($wanted).ReturnValue
    if ($result -gt 1) { throw "SetTcpipNetbios of $($adapter.Description): error $result" }
    Say 'set' "$($adapter.Description): NetBIOS over TCP/IP $(if ($wanted -eq 1) { 'on' } else { 'off' })"
  }
}

# ---- What is in force -------------------------------------------------------------------------

function Test-That([bool] $Holds, [string] $Text, [string] $Otherwise) {
  if ($Holds) {
    Say 'ok' $Text
  } else {
    $script:Problems++
    Say 'PROBLEM' $Otherwise
  }
}

function Test-Weak($Adapter, [string] $Family, [string] $Name) {
  $value = (Get-NetIPInterface -InterfaceIndex $Adapter.ifIndex -AddressFamily $Family).$Name
  Test-That ($value -eq 'Enabled') "$($Adapter.Name) ${Family}: $Name is enabled" `
    "$($Adapter.Name) ${Family}: $Name is $value, must be Enabled"
}

function Test-Network($Loopback, $Lan) {
  foreach ($vip in @($Vips4) + @($Vips6)) {
    $places = @(Get-NetIPAddress -IPAddress $vip -ErrorAction SilentlyContinue)
    $on = @($places | Where-Object { $_.ifIndex -eq $Loopback.ifIndex }).Count -gt 0
    Test-That $on "$vip is on $LoopbackName" "$vip is not on $LoopbackName"
    foreach ($place in @($places | Where-Object { $_.ifIndex -ne $Loopback.ifIndex })) {
      Test-That $false '' ("$vip is on $($place.InterfaceAlias) too, so this server answers ARP for " +
        "it; run: Remove-NetIPAddress -InterfaceIndex $($place.ifIndex) -IPAddress $vip")
    }
  }
  $families = @()
  if ($Vips4.Count -gt 0) { $families += 'IPv4' }
  if ($Vips6.Count -gt 0) { $families += 'IPv6' }
  foreach ($family in $families) {
    Test-Weak $Lan $family 'WeakHostReceive'
    Test-Weak $Loopback $family 'WeakHostReceive'
    Test-Weak $Loopback $family 'WeakHostSend'
  }
}

function Test-SharedName {
  Test-That ((Get-RegistryValue $Lsa 'DisableLoopbackCheck') -eq 1) 'DisableLoopbackCheck is 1' `
    'DisableLoopbackCheck is not 1'
  Test-That ((Get-RegistryValue $Lanman 'DisableStrictNameChecking') -eq 1) `
    'DisableStrictNameChecking is 1' 'DisableStrictNameChecking is not 1'
  $names = @(Get-RegistryValue $Lanman 'OptionalNames' | ForEach-Object { $_ })
  Test-That ($names -contains $SharedName) "OptionalNames has $SharedName" `
    "OptionalNames lacks $SharedName"
}

# ---- The run ----------------------------------------------------------------------------------

function Invoke-Apply {
  if ($IsServer2008) {
    Say 'note' ("Windows $Windows has no NetTCPIP cmdlets: install and configure the loopback " +
      'adapter by hand, with the netsh commands that stand above each step of this script')
  } else {
    Install-Loopback
    $loopback = Find-Loopback
    $lan = Find-Lan
    Set-Bindings
    if ($Vips4.Count -gt 0) { Set-WeakHost $loopback $lan 'IPv4' }
    if ($Vips6.Count -gt 0) { Set-WeakHost $loopback $lan 'IPv6' }
    Disable-DnsRegistration $loopback
    Remove-OldVips $loopback
    foreach ($vip in $Vips4) { Add-Vip $loopback $vip 32 }
    foreach ($vip in $Vips6) { Add-Vip $loopback $vip 128 }
    Test-Network $loopback $lan
  }
  if ($Role -eq 'print') {
    Set-SharedName
    Set-NetBios
    Test-SharedName
    # Guide section 8.3.
    Say 'note' 'restart this server: the registry and NetBIOS settings are in force after that'
  }
  if ($Problems -gt 0) { throw "$Problems of the points above need attention" }
  Say 'done' 'this server owns the VIPs; it answers no ARP or ND request for them on the LAN'
}

# Numbers of interfaces change; their identifiers do not. $null: the adapter is gone.
function Get-IndexOf([string] $Guid) {
  return Get-NetAdapter | Where-Object { $_.InterfaceGuid -eq $Guid } |
    ForEach-Object { $_.ifIndex }
}

# Nothing is to be done for an adapter that is gone.
function Undo-Record($Record) {
  $parts = $Record.Target -split '\|'
  $index = $null
  if ('address', 'skip', 'interface', 'dns' -contains $Record.Kind) {
    $index = Get-IndexOf $parts[0]
    if ($null -eq $index) { return }
  }
  switch ($Record.Kind) {
    'address' {
      Get-NetIPAddress -IPAddress $Record.Name -ErrorAction SilentlyContinue |
        Where-Object { $_.ifIndex -eq $index } | Remove-NetIPAddress -Confirm:$false
    }
    'skip' {
      Set-NetIPAddress -InterfaceIndex $index -IPAddress $parts[1] -SkipAsSource $false
    }
    'interface' {
      $arguments = @{ InterfaceIndex = $index; AddressFamily = $parts[1] }
      $arguments[$Record.Name] = $Record.Before
      Set-NetIPInterface @arguments
    }
    'dns' {
      Set-DnsClient -InterfaceIndex $index -RegisterThisConnectionsAddress $true
    }
    'binding' {
      if ($null -ne (Find-Loopback)) {
        Set-NetAdapterBinding -Name $Record.Target -ComponentID $Record.Name `
          -Enabled ($Record.Before -eq 'True')
      }
    }
    'registry' {
      Remove-ItemProperty -Path $Record.Target -Name $Record.Name -ErrorAction SilentlyContinue
      if ($Record.Before.Type -ne '') {
        $value = $Record.Before.Value
        if ($Record.Before.Type -eq 'MultiString') { $value = [string[]]$value }
        New-ItemProperty -Path $Record.Target -Name $Record.Name `
          -PropertyType $Record.Before.Type -Value $value -Force | Out-Null
      }
    }
    'netbios' {
      $adapter = Get-WmiObject Win32_NetworkAdapterConfiguration |
        Where-Object { $_.SettingID -eq $Record.Target }
      if ($null -ne $adapter) { $adapter.SetTcpipNetbios([uint32]$Record.Before) | Out-Null }
    }
    'name' {
      Get-NetAdapter | Where-Object { $_.InterfaceGuid -eq $Record.Target } |
        Rename-NetAdapter -NewName $Record.Before
    }
    'adapter' {
      Use-DeviceInstaller
      [FairleadLoopback]::Uninstall($Record.Target)
    }
  }
  Say 'undone' $Record.Key
}

# The last change first. What cannot be undone stays recorded, so that a second run tries again.
function Invoke-Revert {
  $records = @(Read-State)
  if ($records.Count -eq 0) {
    Write-Output "Nothing to undo: there is no $StateFile, so this script was not run here."
    return
  }
  [Array]::Reverse($records)
  $left = @()
  foreach ($record in $records) {
    try {
      Undo-Record $record
    } catch {
      Say 'PROBLEM' "$($record.Key): $($_.Exception.Message)"
      $left = @($record) + $left
    }
  }
  if ($left.Count -gt 0) {
    Write-State $left
    throw "$($left.Count) changes could not be undone; they stay recorded in $StateFile"
  }
  Remove-Item $StateFile
  Say 'done' 'this server no longer owns the VIPs; restart it when a registry value was undone'
}

$identity = New-Object Security.Principal.WindowsPrincipal(
  [Security.Principal.WindowsIdentity]::GetCurrent())
if (-not $identity.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
  throw 'This must run elevated: start Windows PowerShell with "Run as administrator".'
}
if ($Action -eq 'revert') { Invoke-Revert } else { Invoke-Apply }
