#include "pkg/model/presets.h"

namespace fairlead::model {
namespace {

// The rows stand as the guide has them. §10.1 step 10 names the health-check port 5122 for the
// virtual service of Konica Minolta Dispatcher Paragon.
constexpr Preset kPresets[] = {
    {"brother", "Brother", "5026,5027", 0},
    {"desktop-interface", "Desktop Interface", "5558", 0},
    {"develop", "Develop", "5014-5019,5021,5022", 0},
    {"end-user-interface-payment-system", "End User Interface Payment System", "8080,8443", 0},
    {"epson", "Epson", "80,443,5021-5024", 0},
    {"flexispooler", "FlexiSpooler server / client (non-)spooling", "80,443,515,631,5559,9100", 0},
    {"fuji-xerox", "Fuji Xerox", "5011-5013,5021,5022,5029", 0},
    {"hp", "HP", "443,5021,5022,5025,7627,57627", 0},
    {"konica-minolta", "Konica Minolta", "80,443,5014-5019,5021,5022,50001,50003", 5122},
    {"lexmark", "Lexmark", "5021,5022", 0},
    {"mobile-integration-gateway", "Mobile Integration Gateway", "5559", 0},
    {"mobile-print-server", "Mobile Print Server", "5559", 0},
    {"mobile-terminal", "Mobile terminal (Android, iPhone, Windows, generic)", "5021,5022", 0},
    {"oki", "OKI", "389,636,5011,5012", 0},
    {"olivetti", "Olivetti", "5014-5019,5021,5022", 0},
    {"lpr", "Other application LPR printing, e.g. SAP", "515", 0},
    {"ricoh", "Ricoh", "5011,5012,5021,5022,64098", 0},
    {"safeq-client", "SafeQ Client", "9100", 0},
    {"samsung", "Samsung", "80,5013", 0},
    {"sharp", "Sharp", "5011,5012,5021,5022", 0},
    {"spm-payment-machine", "SPM payment machine", "4196-4199", 0},
    {"terminal-professional-3.5", "Terminal Professional (TPv3.5)", "4096,5011,5021,5022", 0},
    {"terminal-professional-4", "Terminal Professional (TP4)", "5021,5022", 0},
    {"terminal-ultralight", "Terminal Ultralight", "4096", 0},
    {"toshiba", "Toshiba", "389,636,5011,5012,5021,5022,49629,49630", 0},
    {"lpd-windows-spooler", "User/LPD Windows Spooler", "515", 0},
    {"xerox", "Xerox", "80,161,443,389,636,5011,5012,5021,5022", 0},
};

}  // namespace

absl::Span<const Preset> AllPresets() { return kPresets; }

const Preset* FindPreset(absl::string_view slug) {
  for (const Preset& preset : kPresets) {
    if (preset.slug == slug) return &preset;
  }
  return nullptr;
}

}  // namespace fairlead::model
